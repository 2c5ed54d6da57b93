"""What all lists share: label selectors, sorting, pages; and what a label may be."""

import re

from .refusal import invalid

NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
KEY = rf"(?:[a-z0-9.-]{{1,253}}/)?{NAME}"
MOST_PER_PAGE = 50


def check_labels(labels):
    if not isinstance(labels, dict):
        raise invalid("labels", "must be an object")
    for key, value in labels.items():
        if not re.fullmatch(KEY, key) or not isinstance(value, str) or not re.fullmatch(f"(?:{NAME})?", value):
            raise invalid("labels", f"invalid label '{key}'")
    return labels


def _term(text):
    among = re.fullmatch(rf"({KEY})\s+(in|notin)\s+\(([^()]*)\)", text)
    if among:
        values = [one.strip() for one in among[3].split(",")]
        return lambda labels: (labels.get(among[1]) in values) == (among[2] == "in")
    equal = re.fullmatch(rf"({KEY})\s*(!=|==?)\s*((?:{NAME})?)", text)
    if equal:
        return lambda labels: (labels.get(equal[1]) == equal[3]) == (equal[2] != "!=")
    bare = re.fullmatch(rf"(!?)\s*({KEY})", text)
    if bare:
        return lambda labels: (bare[2] in labels) == (not bare[1])
    raise invalid("label_selector", f"invalid label selector '{text}'")


def selector(text):
    """A function of labels."""
    terms = [_term(one.strip()) for one in re.split(r",(?![^()]*\))", text)] if text.strip() else []
    return lambda labels: all(term(labels) for term in terms)


def _sorted(items, wishes):
    for wish in reversed(wishes):
        field, _, direction = wish.partition(":")
        if direction not in ("", "asc", "desc") or (items and field not in items[0]):
            raise invalid("sort", f"cannot sort by '{wish}'")
        items = sorted(items, key=lambda item: item[field], reverse=direction == "desc")
    return items


def _number(query, name, default):
    text = query.get(name, [str(default)])[-1]
    if not text.isdigit() or int(text) < 1:
        raise invalid(name, "must be a positive number")
    return int(text)


def reply(plural, items, query):
    """The page of a list that a query asks for; what the caller filters by itself is filtered already."""
    if "name" in query:
        items = [item for item in items if item.get("name") in query["name"]]
    if "label_selector" in query:
        fits = selector(query["label_selector"][-1])
        items = [item for item in items if fits(item["labels"])]
    items = _sorted(items, query.get("sort", ["id:asc"]))
    page, per_page = _number(query, "page", 1), min(_number(query, "per_page", 25), MOST_PER_PAGE)
    last = max(1, -(-len(items) // per_page))
    pagination = {
        "page": page,
        "per_page": per_page,
        "previous_page": page - 1 if page > 1 else None,
        "next_page": page + 1 if page < last else None,
        "last_page": last,
        "total_entries": len(items),
    }
    return {plural: items[(page - 1) * per_page : page * per_page], "meta": {"pagination": pagination}}
