/* SPDX-License-Identifier: MPL-2.0 */
/* Keeps only the first problem. */
#include "client/cli/problem.h"

#include <stdarg.h>

#include "common/utf8.h"

bool problem_set(problem_t *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (problem->text[0] == '\0')
        (void)utf8_vformat(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return false;
}
