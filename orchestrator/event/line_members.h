/* The members of an event line, before anything is made of them; and the quick way to read a flat one. Of
 * use to event/line.c alone. */
#pragma once
#include "format/json.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order in which the callback plugin writes them, so that each is found at the first look. */
enum member {
    MEMBER_V,
    MEMBER_SEQ,
    MEMBER_T,
    MEMBER_M,
    MEMBER_KIND,
    MEMBER_HOST,
    MEMBER_PLAY,
    MEMBER_ROLE,
    MEMBER_TASK,
    MEMBER_UUID,
    MEMBER_PATH,
    MEMBER_ACTION,
    MEMBER_STATUS,
    MEMBER_IGNORED,
    MEMBER_RESCUED,
    MEMBER_DURATION,
    MEMBER_ITEMS,
    MEMBER_ASYNC,
    MEMBER_POLL,
    MEMBER_JID,
    MEMBER_HANDLER,
    MEMBER_DELEGATE,
    MEMBER_UNCHECKED,
    MEMBER_CAUSE,
    MEMBER_COUNT,
    MEMBER_SUBJECT,
    MEMBER_TEXT,
    MEMBERS,
};

struct line_members {
    const char *text[MEMBERS]; /* of those that are strings: bounded and printable; else NULL */
    int64_t number[MEMBERS];   /* of those that are numbers, or 1 for true; else 0 */
    bool is_number[MEMBERS];
};

/* Reads a line that is one flat object of known members, each once, with plain ASCII text, whole numbers,
 * true, false or null, and nothing between them: nearly all lines are. True with `members` borrowing from
 * *copy (malloc'ed); false for every other line, which may well be a good one. */
bool line_members_scan(const char *bytes, size_t length, struct line_members *members, char **copy);
/* From parsed JSON; strings that are not bounded and printable are replaced within it. */
void line_members_read(struct json *object, struct line_members *members);
