/* A CUDA device for this process that only counts and, when told to, fails. */
#ifndef PRNN_FAKE_DEVICE_H
#define PRNN_FAKE_DEVICE_H

#include "fake_libcuda.h"
#include "fake_libnvrtc.h"

/* What the fake libraries count; valid behind fake_device_load(). */
extern struct fake_state *fake;
extern struct fake_nvrtc *fake_nvrtc;

/* Load both fake libraries before the library under test looks for them. */
void fake_device_load(void);
/* The same with another file as the driver. */
void fake_device_load_driver(const char *path);
/* Everything as it is after loading, but what is alive stays counted. */
void fake_device_reset(void);

#endif
