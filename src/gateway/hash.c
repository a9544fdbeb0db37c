/*
 * hash.c - SHA-256 of a message as received, HASH_TURN bytes a turn of the loop; and the
 * memory of messages that killed inspectors (contract 7 of the design).
 */
#include "src/gateway/transaction.h"
#include <openssl/evp.h>
#include <unistd.h>

#define HASH_TURN 65536

struct hashing {
	EVP_MD_CTX *context;
	uint64_t    done;
	void      (*then)(struct transaction *);
};

static void
hashing_free(struct transaction *t)
{
	struct hashing *h = t->hash_state;

	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->context);
	free(h);
	t->hash_state = NULL;
}

static void
hash_turn(evutil_socket_t fd, short what, void *arg)
{
	struct transaction *t = arg;
	struct hashing *h = t->hash_state;
	void (*then)(struct transaction *) = h->then;
	struct timeval at_once = { 0, 0 };
	ssize_t n = pread(t->message.fd, t->gateway->read_buffer, HASH_TURN, (off_t)h->done);

	if (n > 0 && EVP_DigestUpdate(h->context, t->gateway->read_buffer, (size_t)n) == 1) {
		h->done += (uint64_t)n;
		event_add(&t->hash_turn, &at_once);
		return;
	}
	t->hashed = n == 0 && EVP_DigestFinal_ex(h->context, t->hash, NULL) == 1;
	hashing_free(t);
	then(t);
}

/* `then` comes from the loop, never at once. */
void
hash_begin(struct transaction *t, void (*then)(struct transaction *))
{
	struct hashing *h = must_alloc(sizeof *h);
	struct timeval at_once = { 0, 0 };

	h->context = EVP_MD_CTX_new();
	h->then = then;
	if (h->context == NULL || EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) != 1)
		abort();                /* out of memory: nobody was told 250 */
	t->hash_state = h;
	evtimer_assign(&t->hash_turn, t->gateway->base, hash_turn, t);
	t->hash_turn_set = true;
	event_add(&t->hash_turn, &at_once);
}

void
hash_stop(struct transaction *t)
{
	if (t->hash_turn_set)
		event_del(&t->hash_turn);
	hashing_free(t);
}

bool
poison_known(struct gateway *g, const uint8_t *hash)
{
	for (size_t i = 0; i < POISON_KEPT; i++)
		if (memcmp(g->poison[i], hash, HASH_BYTES) == 0)
			return true;
	return false;
}

void
poison_remember(struct gateway *g, const uint8_t *hash)
{
	memcpy(g->poison[g->poison_next++ % POISON_KEPT], hash, HASH_BYTES);
}
