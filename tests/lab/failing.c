#include "lab/failing.h"

#include "base/file.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct failing_control *control;

void failing_load(struct lab *lab)
{
    AUTO_FREE char *path = file_join(lab_folder(lab), "failing");
    AUTO_FREE char *library = xstrdup(getenv("TRIPHASE"));
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && ftruncate(fd, sizeof *control) == 0);
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert(control != MAP_FAILED);
    *strrchr(library, '/') = '\0';
    AUTO_FREE char *preload = xasprintf("%s/failing.so", library);
    const char *options = getenv("ASAN_OPTIONS");
    AUTO_FREE char *asan =
        xasprintf("%s%sverify_asan_link_order=0", options ? options : "", options ? ":" : "");
    lab_environment(lab, "LD_PRELOAD", preload);
    lab_environment(lab, "LAB_FAILING", path);
    lab_environment(lab, "ASAN_OPTIONS", asan);
}

void failing_arm(struct lab *lab, const struct fault *fault, uint64_t nth)
{
    *control = (struct failing_control){.nth = nth, .error = fault->error, .forever = fault->forever};
    snprintf(control->below, sizeof control->below, "%s/%s", lab_folder(lab),
             fault->below ? fault->below : ".triphase");
    snprintf(control->process, sizeof control->process, "%s", fault->process ? fault->process : "triphase");
    atomic_thread_fence(memory_order_seq_cst);
    control->calls = fault->calls;
}

const char *failing_disarm(struct lab *lab)
{
    (void)lab;
    control->calls = 0;
    return control->struck ? control->what : NULL;
}

uint64_t failing_count(struct lab *lab)
{
    (void)lab;
    return control->count;
}
