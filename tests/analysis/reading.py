"""What does a written report say, as a reader of its files sees it?"""

import json
from html.parser import HTMLParser


def numbers_beside(path):
    """The numbers of numbers.json beside a report, by id."""
    return json.loads((path.parent / "numbers.json").read_text(encoding="utf-8"))["numbers"]


class Page(HTMLParser):
    """What a page shows: its numbers by id, the text of its cells outside numbers, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.numbers, self.cells, self.loaded, self.ids = {}, [], [], []
        self.in_number = self.in_cell = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "script" or "src" in given or (tag in ("link", "image") and "href" in given):
            self.loaded.append(tag)
        if tag == "data":
            self.in_number, self.current = True, given["id"]
            self.numbers[given["id"]] = {"value": float(given["value"]) if given["value"] else None, "text": ""}
        self.in_cell = self.in_cell or (tag == "td" and given.get("class") != "words")

    def handle_endtag(self, tag):
        if tag == "data":
            self.in_number = False
        if tag == "td":
            self.in_cell = False

    def handle_data(self, data):
        if self.in_number:
            self.numbers[self.current]["text"] += data
        elif self.in_cell:
            self.cells.append(data)
