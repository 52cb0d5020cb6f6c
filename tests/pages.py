"""Reading HTML pages in tests."""

import re
from html.parser import HTMLParser


class Elements(HTMLParser):
    """Every element with its attributes, the texts between, and whether each end tag is that of what is open."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def shown(name):
    """A name as a page holds it."""
    return name.encode("utf-8", "replace").decode()


def refuse_what_is_not_self_contained(page):
    """Fail if a page is not well formed, refers to anything outside it, or has elements that names may have added."""
    parsed = Elements(page)
    assert parsed.open == []
    tags = {tag for tag, _ in parsed.elements}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "image", "img", "i", "b"})
    assert not re.search(r"https?:|url\((?!#)|@import|src=", page)
    assert all(
        value.startswith("#") for _, attributes in parsed.elements for key, value in attributes.items() if key == "href"
    )
    assert not any(key.startswith("on") for _, attributes in parsed.elements for key in attributes)
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:href="|url\()#([\w-]+)', page))
    assert used <= set(ids)
