/* SPDX-License-Identifier: MPL-2.0 */
/* Checks the options of a watch. */
#include "client/watch/follow_config.h"

#include <string.h>

#include "client/slice.h"
#include "common/bytes.h"
#include "common/limits.h"
#include "common/utf8.h"

const char *follow_config_problem(const follow_config_t *config)
{
    size_t id = config->client == NULL ? 1 : strlen(config->client);
    if (id == 0 || id > LIMIT_NAME || (config->client != NULL && strchr(config->client, '/') != NULL))
        return "watch: a client's id has 1 to 200 bytes and no slash";
    if (config->prefix.size > 0 && config->prefix.data == NULL)
        return "watch: the prefix has a size but no data";
    if (config->prefix.size > LIMIT_KEY_MAX)
        return "watch: the prefix is longer than any key, which has 1,024 bytes at most";
    if (!utf8_valid(slice_bytes(config->prefix)))
        return "watch: the prefix is not UTF-8, as every key is";
    if (config->earliest && (config->initial || config->resume))
        return "watch: earliest cannot be used with initial or resume";
    return NULL;
}
