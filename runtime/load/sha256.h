/* SHA-256 (FIPS 180-4), for the keys and entries of the cache. Own code: a hundred lines are less
 * than a run-time dependency. */
#ifndef PRNN_SHA256_H
#define PRNN_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

struct sha256 {
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64];
};

void sha256_init(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t size);
void sha256_end(struct sha256 *hash, unsigned char digest[SHA256_BYTES]);
/* Lower-case hexadecimal with a final 0. */
void sha256_hex(const unsigned char digest[SHA256_BYTES], char hex[2 * SHA256_BYTES + 1]);

#endif
