"""The staff's pages: `pages` is the blueprint with all of them."""

from epro.web.desk import accounts, enrolment, exporting, monitoring, patient, standing, worklist
from epro.web.desk.gate import pages

__all__ = ["accounts", "enrolment", "exporting", "monitoring", "pages", "patient", "standing", "worklist"]
