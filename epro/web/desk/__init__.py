"""The staff's pages: `pages` is the blueprint with all of them."""

from epro.web.desk import answers, card, enrolment, monitoring, patient, signing, standing, trail, worklist
from epro.web.desk.gate import pages

__all__ = ["answers", "card", "enrolment", "monitoring", "pages", "patient", "signing", "standing", "trail", "worklist"]
