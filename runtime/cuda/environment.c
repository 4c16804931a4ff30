#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

static void devices_get(struct environment *out)
{
    const struct cuda_api *api = dynload_cuda();
    if (!api)
        return;
    (void)api->driver_get_version(&out->driver_version);
    for (int i = 0; i < ENVIRONMENT_DEVICES_MAX; i++) {
        if (cuda_device_probe(&out->devices[i], &out->device_count, i) < 0) {
            if (i == 0 || i < out->device_count)
                snprintf(out->driver_trouble, sizeof out->driver_trouble, "%.500s", status_text());
            return;
        }
        out->described = i + 1;
        char *log = NULL;
        if (nvrtc_arch(out->targets[i], out->devices[i].major, out->devices[i].minor, &log) !=
            NVRTC_OK) {
            out->targets[i][0] = 0;
            snprintf(out->target_trouble[i], sizeof out->target_trouble[i], "%.250s",
                     log ? log : "out of memory");
        }
        free(log);
        if (i + 1 >= out->device_count)
            return;
    }
}

void environment_get(struct environment *out)
{
    memset(out, 0, sizeof *out);
    out->driver = dynload_cuda_found();
    out->nvrtc = dynload_nvrtc_found();
    (void)nvrtc_info_get(&out->nvrtc_info);
    out->compiler = hostcc_compiler();
    devices_get(out);
}
