/* Which interpreter a script of pip's or uv's is run by. */
#include "ansible/launcher.h"

#include "base/memory.h"
#include "base/text.h"
#include "unit/folder.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(launcher, .timeout = 60, .fini = folder_clean);

#define PIP_BODY "# -*- coding: utf-8 -*-\nimport re\nimport sys\nfrom ansible.cli.playbook import main\n"

Test(launcher, the_interpreter_of_a_script_is_the_python_that_runs_it_and_never_a_shell)
{
    AUTO_FREE char *blank = folder_path("a folder/python3"), *name = xmalloc(151);
    memset(name, 'x', 150);
    name[150] = '\0';
    AUTO_FREE char *under = xasprintf("%s/python3", name), *deep = folder_path(under),
                   *script = folder_path("ansible-playbook");
    folder_write("a folder/python3", "#!/bin/sh\n");
    folder_write(under, "#!/bin/sh\n");
    cr_assert(chmod(blank, 0755) == 0 && chmod(deep, 0755) == 0);
    const struct {
        const char *first, *interpreter; /* %s: the interpreter */
        const char *found;
    } rows[] = {
        {"#!%s\n", deep, deep},
        {"#! %s\n", deep, deep},
        {"#!/bin/sh\n'''exec' \"%s\" \"$0\" \"$@\"\n' '''\n", blank, blank}, /* pip */
        {"#!/bin/sh\n'''exec' %s \"$0\" \"$@\"\n' '''\n", deep, deep},
        {"#!/bin/sh\n'''exec' '%s' \"$0\" \"$@\"\n' '''\n", blank, blank}, /* uv */
        {"#!/bin/sh\n'''exec' %s -I \"$0\" \"$@\"\n' '''\n", deep, NULL},
        {"#!/bin/sh\n'''exec' \"%s\n", deep, NULL},
        {"#!/bin/sh\n'''exec' /nowhere/%s \"$0\" \"$@\"\n' '''\n", "python3", NULL},
        {"#!/bin/sh\nexec %s -c 'from x import y' \"$@\"\n", deep, NULL},
        {"#!/bin/bash\n: %s\n", deep, NULL},
        {"#!/usr/bin/env %s\n", "python3", NULL},
        {"#!%s -I\n", deep, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_TEXT content = TEXT_INIT;
        const char *at = strstr(rows[i].first, "%s");
        text_add_bytes(&content, rows[i].first, (size_t)(at - rows[i].first));
        text_addf(&content, "%s%s" PIP_BODY, rows[i].interpreter, at + 2);
        folder_write("ansible-playbook", text_string(&content));
        AUTO_FREE char *found = launcher_interpreter(script);
        cr_expect(rows[i].found ? text_is(found, rows[i].found) : !found, "%s of\n%s", found ? found : "none",
                  text_string(&content));
    }
}
