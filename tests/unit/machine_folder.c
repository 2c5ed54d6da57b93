/* What a provider keeps in a machine's folder, and how it goes from there. */
#include "folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/words.h"
#include "provider/machine_folder.h"

#include <criterion/criterion.h>

TestSuite(machine_folder, .timeout = 60, .fini = folder_clean);

static const char *const files[] = {"key", "begun"};

static char *machine_folder(void)
{
    return folder_path("machine");
}

Test(machine_folder, it_goes_with_its_files_and_what_a_kill_left_of_writing_them)
{
    AUTO_FREE char *path = machine_folder();
    folder_write("machine/key", "k");
    folder_write("machine/begun.new.4711", "half");
    machine_folder_forget(path, files, COUNT_OF(files));
    cr_expect_not(file_exists(path));
}

Test(machine_folder, what_is_not_the_providers_stays_and_the_folder_with_it)
{
    AUTO_FREE char *path = machine_folder();
    AUTO_WORDS left = WORDS_INIT;
    folder_write("machine/key", "k");
    folder_write("machine/key.old", "the user's");
    folder_write("machine/keys", "the user's");
    machine_folder_forget(path, files, COUNT_OF(files));
    cr_assert_eq(file_list(path, &left, NULL), 0);
    words_sort_unique(&left);
    AUTO_FREE char *all = words_join(&left, " ");
    cr_expect_str_eq(all, "key.old keys");
}
