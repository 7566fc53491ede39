"""Where in EPRO_HOME does a rehearsal leave what it made?"""

TRIAL_FOLDER, REPORT_FOLDER = "trial-folder", "report"
