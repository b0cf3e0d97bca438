/* SPDX-License-Identifier: MPL-2.0 */
/* The form of a problem: where it is, and what it is. */
#include "broker/config/config_place.h"

#include <stdarg.h>

#include "common/utf8.h"

bool config_fault(const config_place_t *place, const char *format, ...)
{
    char text[CONFIG_PROBLEM_SIZE];
    va_list arguments;
    va_start(arguments, format);
    utf8_vformat(text, sizeof text, format, arguments);
    va_end(arguments);
    if (place->line > 0)
        utf8_format(place->problem, place->size, "%s:%u: %s", place->name, place->line, text);
    else
        utf8_format(place->problem, place->size, "%s: %s", place->name, text);
    return false;
}

bool config_fault_memory(const config_place_t *place)
{
    return config_fault(place, "out of memory; free some and start again");
}
