#include "lab/failing.h"

#include "base/file.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct failing_control *control;

/* A sanitizer has to be the first that is loaded, and calls what comes after it. */
static const char *sanitizer(void)
{
    static char words[4096] = "";
#ifdef __SANITIZE_ADDRESS__
    extern void __asan_init(void);
    Dl_info info;
    if (dladdr((void *)(uintptr_t)__asan_init, &info))
        snprintf(words, sizeof words, "%s:", info.dli_fname);
#endif
    return words;
}

void failing_load(struct lab *lab)
{
    AUTO_FREE char *path = file_join(lab_folder(lab), "failing");
    AUTO_FREE char *library = xstrdup(getenv("TRIPHASE"));
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && ftruncate(fd, sizeof *control) == 0);
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert(control != MAP_FAILED);
    *strrchr(library, '/') = '\0';
    AUTO_FREE char *preload = xasprintf("%s%s/failing.so", sanitizer(), library);
    lab_environment(lab, "LD_PRELOAD", preload);
    lab_environment(lab, "LAB_FAILING", path);
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
