#!/bin/sh
# Prints C that builds the named files into the program as the table of base/embedded.h. The bytes come in through
# .incbin, so that no file has to survive quoting. Run from the top of the checkout with paths relative to it.
set -eu
LC_ALL=C
export LC_ALL

cat <<'END'
/* Made by setup/embed.sh; changes here are lost. */
#include "base/embedded.h"

#define EMBED(name, file)                                                                                    \
    __asm__(".pushsection .rodata." #name ", \"a\"\n.balign 16\n" #name ":\n.incbin \"" file "\"\n.byte 0\n" \
            ".popsection\n");                                                                                \
    extern const unsigned char name[] __attribute__((visibility("hidden")));

END
list=$(for file in "$@"; do printf '%s\n' "$file"; done | sort -u)
number=0
table=
while IFS= read -r file; do
    [ -n "$file" ] || continue
    case $file in
    *[!A-Za-z0-9._/-]*)
        echo "embed: '$file' has a character that its name may not have (letters, digits, . _ / -)" >&2
        exit 1
        ;;
    esac
    size=$(wc -c <"$file")
    mode=0644
    [ ! -x "$file" ] || mode=0755
    printf 'EMBED(embedded_bytes_%d, "%s")\n' "$number" "$file"
    table="$table    {\"$file\", embedded_bytes_$number, $((size)), $mode},
"
    number=$((number + 1))
done <<END
$list
END
# One entry more than is counted: an array without any is not C.
printf '\nconst struct embedded_file embedded_files[] = {\n%s    {0},\n};\nconst size_t embedded_file_count = %d;\n' \
    "$table" "$number"
