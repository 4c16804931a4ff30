#include "status.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char words[STATUS_TEXT_BYTES];

prnn_status(status_set)(prnn_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return status;
}

const char *status_text(void)
{
    return words;
}

const char *prnn_last_error(void)
{
    return words;
}

const char *prnn_status_name(prnn_status status)
{
    switch (status) {
    case PRNN_OK:
        return "PRNN_OK";
    case PRNN_NONFINITE:
        return "PRNN_NONFINITE";
    case PRNN_FALLBACK:
        return "PRNN_FALLBACK";
    case PRNN_E_CELL:
        return "PRNN_E_CELL";
    case PRNN_E_INVALID:
        return "PRNN_E_INVALID";
    case PRNN_E_IO:
        return "PRNN_E_IO";
    case PRNN_E_LIMIT:
        return "PRNN_E_LIMIT";
    case PRNN_E_NOMEM:
        return "PRNN_E_NOMEM";
    case PRNN_E_UNSUPPORTED:
        return "PRNN_E_UNSUPPORTED";
    case PRNN_E_BACKEND:
        return "PRNN_E_BACKEND";
    case PRNN_E_STICKY:
        return "PRNN_E_STICKY";
    case PRNN_E_INTERNAL:
        return "PRNN_E_INTERNAL";
    }
    return "unknown status";
}

const char *prnn_version(void)
{
    return "0.1.0";
}
