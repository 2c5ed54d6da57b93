/* Forced into every C file by the build (-include): calls that overrun, truncate in silence or share a
 * hidden buffer are a compile error that names what to use. The system headers that declare them come
 * first, so that only calls written here are hit. Macros with arguments: a struct member or a variable of
 * such a name stays legal. */
#pragma once
#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <wchar.h>

#define BANNED_TEXT(...)   banned_function__use_struct_text_of_base_text_h_or_snprintf
#define BANNED_NUMBER(...) banned_function__use_a_checked_parser_instead_of_ato
#define BANNED_STACK(...)  banned_function__allocate_on_the_heap_with_base_memory_h
#define BANNED_SHARED(...) banned_function__use_the_variant_with_a_buffer_of_the_caller_ending_in_r
#define BANNED_RACE(...)   banned_function__use_mkostemp_or_mkdtemp
#define BANNED_SHELL(...)  banned_function__start_programs_as_supervised_children_without_a_shell

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef stpcpy
#undef stpncpy
#undef sprintf
#undef vsprintf
#undef gets
#undef strdupa
#undef strndupa
#undef alloca
#undef strtok
#undef wcscpy
#undef wcscat
#define strcpy(...)   BANNED_TEXT(__VA_ARGS__)
#define strcat(...)   BANNED_TEXT(__VA_ARGS__)
#define strncpy(...)  BANNED_TEXT(__VA_ARGS__)
#define strncat(...)  BANNED_TEXT(__VA_ARGS__)
#define stpcpy(...)   BANNED_TEXT(__VA_ARGS__)
#define stpncpy(...)  BANNED_TEXT(__VA_ARGS__)
#define sprintf(...)  BANNED_TEXT(__VA_ARGS__)
#define vsprintf(...) BANNED_TEXT(__VA_ARGS__)
#define gets(...)     BANNED_TEXT(__VA_ARGS__)
#define wcscpy(...)   BANNED_TEXT(__VA_ARGS__)
#define wcscat(...)   BANNED_TEXT(__VA_ARGS__)
#define strdupa(...)  BANNED_STACK(__VA_ARGS__)
#define strndupa(...) BANNED_STACK(__VA_ARGS__)
#define alloca(...)   BANNED_STACK(__VA_ARGS__)

#undef atoi
#undef atol
#undef atoll
#undef atof
#define atoi(...)  BANNED_NUMBER(__VA_ARGS__)
#define atol(...)  BANNED_NUMBER(__VA_ARGS__)
#define atoll(...) BANNED_NUMBER(__VA_ARGS__)
#define atof(...)  BANNED_NUMBER(__VA_ARGS__)

#undef asctime
#undef ctime
#undef gmtime
#undef localtime
#define strtok(...)    BANNED_SHARED(__VA_ARGS__)
#define asctime(...)   BANNED_SHARED(__VA_ARGS__)
#define ctime(...)     BANNED_SHARED(__VA_ARGS__)
#define gmtime(...)    BANNED_SHARED(__VA_ARGS__)
#define localtime(...) BANNED_SHARED(__VA_ARGS__)

#undef mktemp
#undef tmpnam
#undef tempnam
#define mktemp(...)  BANNED_RACE(__VA_ARGS__)
#define tmpnam(...)  BANNED_RACE(__VA_ARGS__)
#define tempnam(...) BANNED_RACE(__VA_ARGS__)

/* Tests drive the program from outside and may use a shell for it. */
#ifndef TRIPHASE_TESTS
#undef system
#undef popen
#define system(...) BANNED_SHELL(__VA_ARGS__)
#define popen(...)  BANNED_SHELL(__VA_ARGS__)
#endif
