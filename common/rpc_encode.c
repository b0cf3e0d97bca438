/* SPDX-License-Identifier: MPL-2.0 */
/* Writes MessagePack and MessagePack-RPC into a buffer. The bytes come from msgpack-c's own templates (always
 * the shortest form), compiled here for buffer_t so that they inline. The only format byte in this file is
 * that of an array whose length comes later. */
#include "common/rpc.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define MSGPACK_ENDIAN_BIG_BYTE    1
#define MSGPACK_ENDIAN_LITTLE_BYTE 0
#endif
#include <msgpack/pack_define.h>
#include <msgpack/timestamp.h>

#define msgpack_pack_inline_func(name)                  static inline void msgpack_pack##name
#define msgpack_pack_user                               buffer_t *
#define msgpack_pack_append_buffer(buffer, bytes, size) buffer_append(buffer, bytes, size)
#include <msgpack/pack_template.h>

enum { ARRAY32 = 0xdd, ARRAY32_HEAD = 5 }; /* msgpack spec, array format family */

void rpc_write_nil(buffer_t *buffer)
{
    msgpack_pack_nil(buffer);
}

void rpc_write_bool(buffer_t *buffer, bool value)
{
    if (value)
        msgpack_pack_true(buffer);
    else
        msgpack_pack_false(buffer);
}

void rpc_write_uint(buffer_t *buffer, uint64_t value)
{
    msgpack_pack_uint64(buffer, value);
}

void rpc_write_int(buffer_t *buffer, int64_t value)
{
    msgpack_pack_int64(buffer, value);
}

/* Whether the length of BYTES fits a head. If not, fails: a head without its bytes must not be in the
 * buffer. */
static bool has_length(buffer_t *buffer, bytes_t bytes)
{
    if (bytes.size <= UINT32_MAX)
        return true;
    buffer->failed = true;
    return false;
}

void rpc_write_str(buffer_t *buffer, bytes_t text)
{
    if (!has_length(buffer, text))
        return;
    msgpack_pack_str(buffer, text.size);
    msgpack_pack_str_body(buffer, text.data, text.size);
}

void rpc_write_bin(buffer_t *buffer, bytes_t data)
{
    if (!has_length(buffer, data))
        return;
    msgpack_pack_bin(buffer, data.size);
    msgpack_pack_bin_body(buffer, data.data, data.size);
}

void rpc_write_array(buffer_t *buffer, uint32_t count)
{
    msgpack_pack_array(buffer, count);
}

void rpc_write_map(buffer_t *buffer, uint32_t pairs)
{
    msgpack_pack_map(buffer, pairs);
}

size_t rpc_open_array(buffer_t *buffer)
{
    static const uint8_t head[ARRAY32_HEAD] = {ARRAY32};
    size_t mark = buffer->size;
    buffer_append(buffer, head, sizeof head);
    return mark;
}

void rpc_close_array(buffer_t *buffer, size_t mark, uint32_t count)
{
    if (buffer->failed)
        return;
    uint8_t *head = buffer->data + mark;
    head[1] = (uint8_t)(count >> 24);
    head[2] = (uint8_t)(count >> 16);
    head[3] = (uint8_t)(count >> 8);
    head[4] = (uint8_t)count;
}

void rpc_write_text(buffer_t *buffer, const char *text)
{
    rpc_write_str(buffer, bytes_from_text(text));
}

void rpc_write_request(buffer_t *buffer, uint32_t msgid, bytes_t method)
{
    msgpack_pack_array(buffer, 4);
    msgpack_pack_uint8(buffer, RPC_REQUEST);
    msgpack_pack_uint32(buffer, msgid);
    rpc_write_str(buffer, method);
}

void rpc_write_notification(buffer_t *buffer, bytes_t method)
{
    msgpack_pack_array(buffer, 3);
    msgpack_pack_uint8(buffer, RPC_NOTIFICATION);
    rpc_write_str(buffer, method);
}

/* `[1, msgid,` : error and result follow. */
static void write_response(buffer_t *buffer, uint32_t msgid)
{
    msgpack_pack_array(buffer, 4);
    msgpack_pack_uint8(buffer, RPC_RESPONSE);
    msgpack_pack_uint32(buffer, msgid);
}

void rpc_write_result(buffer_t *buffer, uint32_t msgid)
{
    write_response(buffer, msgid);
    msgpack_pack_nil(buffer);
}

void rpc_write_error(buffer_t *buffer, uint32_t msgid, status_t status, const char *text,
                     const uint64_t *detail)
{
    write_response(buffer, msgid);
    msgpack_pack_array(buffer, detail == NULL ? 2 : 3);
    rpc_write_text(buffer, status_text(status));
    rpc_write_text(buffer, text);
    if (detail != NULL)
        msgpack_pack_uint64(buffer, *detail);
    msgpack_pack_nil(buffer);
}
