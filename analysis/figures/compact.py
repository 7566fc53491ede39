"""What of a drawn SVG does nobody see? The rest is what a page carries.

Left out: decimals beyond a tenth of a point, spaces, how the file came to be, groups and ids that nothing refers to,
and whatever every element repeats.
"""

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
GROUP, USE = f"{{{SVG}}}g", f"{{{SVG}}}use"
UNSEEN = (f"{{{SVG}}}metadata", f"{{{SVG}}}style", f"{{{SVG}}}defs")  # of defs, those that are empty
OF_ALL = "stroke-linejoin:round;stroke-linecap:butt"  # what matplotlib says of every element
LONG = re.compile(r"-?\d+\.\d{2,}")
PLACED = ("d", "x", "y", "width", "height")  # attributes in points; a transform may hold factors
TURNED_BY_NOTHING = re.compile(r"rotate\(-?0 [^)]*\)")
FONT = re.compile(r"font-family: ([^;\"]*)(; )?")
STEP = re.compile(r"([A-Za-z])([^A-Za-z]*)")

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def compact(svg: str) -> str:
    """The same picture in fewer bytes. Text stays text; its font is said once, so that a page may choose another."""
    root = ElementTree.fromstring(svg)
    font = FONT.search(svg)
    root.set("style", f"{OF_ALL};font-family:{font[1]}" if font else OF_ALL)
    referred = set(re.findall(r"#([\w.-]+)", svg))
    for element in list(root.iter())[1:]:
        if element.get("id") not in referred:
            element.attrib.pop("id", None)
        _shorten(element)
    _gather(root)
    return ElementTree.tostring(root, encoding="unicode")


def _shorten(element: Element) -> None:
    for name in PLACED:
        if name in element.attrib:
            element.set(name, LONG.sub(_to_a_tenth, element.get(name, "")))
    if "d" in element.attrib:
        element.set("d", _path(element.get("d", "")))
    if TURNED_BY_NOTHING.fullmatch(element.get("transform", "")):
        del element.attrib["transform"]
    if "style" in element.attrib:
        element.set("style", FONT.sub("", element.get("style", "")).replace(": ", ":").replace("; ", ";"))


def _to_a_tenth(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _path(steps: str) -> str:
    """Level and upright lines name the one coordinate that they change."""
    written, here = [], ["", ""]
    for letter, numbers in STEP.findall(steps):
        at = numbers.split()
        if letter == "L" and at[0] == here[0]:
            written.append(f"V{at[1]}")
        elif letter == "L" and at[1] == here[1]:
            written.append(f"H{at[0]}")
        else:
            written.append(letter + " ".join(at))
        here = at[-2:] or here
    return "".join(written)


def _gather(parent: Element) -> None:
    """Say a style that all marks of a group share once, and let groups go that say nothing."""
    kept: list[Element] = []
    for child in parent:
        _gather(child)
        child.tail = "\n"
        if child.tag in UNSEEN and (not len(child) or child.tag == UNSEEN[0]):
            continue
        if child.tag == GROUP and not child.attrib:
            kept.extend(child)
        else:
            kept.append(child)
    parent[:] = kept
    styles = {child.get("style") for child in kept}
    if kept and parent.tag == GROUP and all(child.tag == USE for child in kept) and len(styles) == 1:
        parent.set("style", styles.pop() or "")
        for child in kept:
            child.attrib.pop("style", None)
    if len(parent) and not (parent.text or "").strip():
        parent.text = None
