/* Doubles of the HTTP listeners, for tests that give requests straight to the handlers: routes are
 * noted, one reply is caught, at once or later. */
#ifndef TR_TEST_HTTP_H
#define TR_TEST_HTTP_H

#include "gateway/transport/routes.h"
#include "gateway/transport/web.h"

struct reply {
    int status; /* 0: none yet */
    json_t *body;
    char code[32];
    bool file, attachment, no_store;
    size_t file_bytes;
};
extern struct reply reply; /* to the last request */
extern bool http_gone;     /* the connection that it came by is closed */

/* An argument of the query, for the next request; the texts are borrowed until then. */
void http_arg(const char *name, const char *value);
/* Gives the request to the row of this pattern and its method; returns the reply's status. */
int http_ask(const char *pattern, const struct tr_http_request *request);
int http_rows(void); /* how many routes there are */
/* The row of a pattern and method; aborts when there is none. */
const struct tr_route *http_row(const char *pattern, enum tr_http_method method);
void http_forget(void);                                         /* the reply and the arguments */
void http_forget_rows(void);                                    /* before a test */
const char *http_word(const json_t *object, const char *name);  /* "(none)": no such text */
json_int_t http_number(const json_t *object, const char *name); /* -1: no such integer */

#endif
