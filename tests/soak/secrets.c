/* Thousands of random secrets, quoted by real programs, through real runs, and nothing is left of any:
 * tests/lab/secret_project.py. */
#include "lab/secret_rounds.h"

#include <criterion/criterion.h>

/* More than 5,000 rounds each (a case goes in at some four places), of which one has Ansible's
 * results as YAML, one as JSON. */
Test(soak_secrets, nothing_is_left_of_thousands_on_the_whole_way, .timeout = 3600)
{
    secret_rounds(1300, 0);
    secret_rounds(1300, 1);
}
