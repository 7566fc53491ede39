"""The staff's pages: `pages` is the blueprint with all of them."""

from epro.web.desk import card, enrolment, monitoring, patient, standing, worklist
from epro.web.desk.gate import pages

__all__ = ["card", "enrolment", "monitoring", "pages", "patient", "standing", "worklist"]
