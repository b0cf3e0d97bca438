/* SPDX-License-Identifier: MPL-2.0 */
/* Optimal string alignment. The table has a row for each byte of A, but only the last three are kept. */
#include "common/edit_distance.h"

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned edit_distance(bytes_t a, bytes_t b)
{
    if (a.size > EDIT_TEXT_MAX || b.size > EDIT_TEXT_MAX)
        return (unsigned)(a.size > b.size ? a.size : b.size);
    /* rows[i % 3][j] is the number of edits from the first i bytes of A to the first j bytes of B. */
    unsigned rows[3][EDIT_TEXT_MAX + 1];
    for (unsigned j = 0; j <= b.size; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.size; i++) {
        const unsigned *above = rows[(i - 1) % 3];
        unsigned *row = rows[i % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b.size; j++) {
            unsigned change = a.data[i - 1] == b.data[j - 1] ? 0 : 1;
            row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + change);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[a.size % 3][b.size];
}
