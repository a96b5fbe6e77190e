/* Doubles of the HTTP listeners, for tests that give requests straight to the handlers: routes are
 * noted, one reply is caught. */
#ifndef TR_TEST_HTTP_H
#define TR_TEST_HTTP_H

#include "gateway/transport/routes.h"

enum { HTTP_ROWS_MAX = 16, HTTP_ARGS_MAX = 4 };

struct reply {
    int status;
    json_t *body;
    char code[32];
    bool file, attachment, no_store;
    size_t file_bytes;
};
extern struct reply reply; /* to the last request */
/* Name and value of the query's arguments, for the next request. */
extern const char *http_args[HTTP_ARGS_MAX][2];

/* Gives the request to the row of this pattern and its method; returns the reply's status. */
int http_ask(const char *pattern, const struct tr_http_request *request);
/* The row of a pattern and method; aborts when there is none. */
const struct tr_route *http_row(const char *pattern, enum tr_http_method method);
void http_forget(void);                                         /* the reply and the arguments */
void http_forget_rows(void);                                    /* before a test */
const char *http_word(const json_t *object, const char *name);  /* "(none)": no such text */
json_int_t http_number(const json_t *object, const char *name); /* -1: no such integer */

#endif
