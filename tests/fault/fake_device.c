#include "fake_device.h"

#include <check.h>
#include <dlfcn.h>
#include <stdlib.h>

struct fake_state *fake;
struct fake_nvrtc *fake_nvrtc;

static void *symbol_of(const char *path, const char *name)
{
    /* Found by its soname when somebody asks for that. */
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(handle != NULL, "%s", dlerror());
    void *symbol = dlsym(handle, name);
    ck_assert_msg(symbol != NULL, "%s", dlerror());
    return symbol;
}

void fake_device_load(void)
{
    fake_device_load_driver(PRNN_FAKE_FOLDER "/libcuda.so.1");
}

void fake_device_load_driver(const char *path)
{
    fake = symbol_of(path, "fake");
    fake_nvrtc = symbol_of(PRNN_FAKE_FOLDER "/libnvrtc.so.13", "fake_nvrtc");
    ck_assert_int_eq(setenv("PARARNNC_NVRTC", PRNN_FAKE_FOLDER "/libnvrtc.so.13", 1), 0);
}

void fake_device_reset(void)
{
    const struct fake_state kept = *fake;
    *fake = (struct fake_state){.contexts = kept.contexts,
                                .depth = kept.depth,
                                .modules = kept.modules,
                                .modules_made = kept.modules_made,
                                .allocations = kept.allocations,
                                .misused = kept.misused,
                                .fitting = 1,
                                .has_clusters = 1,
                                .devices = 2,
                                .driver_version = 13000};
    *fake_nvrtc = (struct fake_nvrtc){
        .programs = fake_nvrtc->programs, .misused = fake_nvrtc->misused, .major = 13, .log = ""};
}
