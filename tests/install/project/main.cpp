// The same header from C++.
#include <cstdio>
#include <cstring>
#include <pararnnc/pararnnc.h>

int main()
{
    prnn_context *ctx = nullptr;
    if (prnn_context_create(&ctx, "cpu") < 0)
        return 1;
    prnn_cell *cell = nullptr;
    const char text[] = "cell half { state h; input u; h' = 0.5*h + u; }";
    if (prnn_cell_load_text(&cell, ctx, nullptr, text, std::strlen(text), nullptr) < 0)
        return 1;
    prnn_cell_info info = PRNN_CELL_INFO_INIT;
    prnn_cell_describe(cell, &info);
    std::printf("%s %s\n", prnn_version(), info.name);
    const bool is_right = info.is_affine && !std::strcmp(info.name, "half");
    prnn_cell_free(cell);
    prnn_context_free(ctx);
    return is_right ? 0 : 1;
}
