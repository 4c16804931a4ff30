/* Prints sizes and offsets of the public structures and the values of the public constants, to be
 * compared with layout.txt: what a program compiled against an older header relies on. */
#include <pararnnc/pararnnc.h>

#include <stdio.h>

#define STRUCT(type) printf("struct %s: size %zu, align %zu\n", #type, sizeof(type), _Alignof(type))
#define FIELD(type, field)                                                                         \
    printf("  %s: offset %zu, size %zu\n", #field, offsetof(type, field), sizeof(((type *)0)->field))
#define ENUM(type) printf("enum %s: size %zu\n", #type, sizeof(type))
#define VALUE(name) printf("  %s: %lld\n", #name, (long long)(name))

static void print_structs(void)
{
    STRUCT(prnn_cell_options);
    FIELD(prnn_cell_options, struct_size);
    FIELD(prnn_cell_options, defines);
    FIELD(prnn_cell_options, define_count);
    FIELD(prnn_cell_options, warnings);
    FIELD(prnn_cell_options, warning_count);

    STRUCT(prnn_diagnostic);
    FIELD(prnn_diagnostic, struct_size);
    FIELD(prnn_diagnostic, is_error);
    FIELD(prnn_diagnostic, slug);
    FIELD(prnn_diagnostic, text);
    FIELD(prnn_diagnostic, file);
    FIELD(prnn_diagnostic, line);
    FIELD(prnn_diagnostic, column);
    FIELD(prnn_diagnostic, begin);
    FIELD(prnn_diagnostic, end);
    FIELD(prnn_diagnostic, fix);

    STRUCT(prnn_cell_info);
    FIELD(prnn_cell_info, struct_size);
    FIELD(prnn_cell_info, name);
    FIELD(prnn_cell_info, doc);
    FIELD(prnn_cell_info, states);
    FIELD(prnn_cell_info, inputs);
    FIELD(prnn_cell_info, params);
    FIELD(prnn_cell_info, outputs);
    FIELD(prnn_cell_info, state_scalars);
    FIELD(prnn_cell_info, input_scalars);
    FIELD(prnn_cell_info, param_scalars);
    FIELD(prnn_cell_info, output_scalars);
    FIELD(prnn_cell_info, block_count);
    FIELD(prnn_cell_info, largest_block);
    FIELD(prnn_cell_info, is_affine);
    FIELD(prnn_cell_info, is_contraction);
    FIELD(prnn_cell_info, jacobian_bound);

    STRUCT(prnn_value_info);
    FIELD(prnn_value_info, struct_size);
    FIELD(prnn_value_info, name);
    FIELD(prnn_value_info, doc);
    FIELD(prnn_value_info, role);
    FIELD(prnn_value_info, rank);
    FIELD(prnn_value_info, rows);
    FIELD(prnn_value_info, cols);
    FIELD(prnn_value_info, count);
    FIELD(prnn_value_info, is_shared);
    FIELD(prnn_value_info, has_gradient);
    FIELD(prnn_value_info, has_range);
    FIELD(prnn_value_info, lo);
    FIELD(prnn_value_info, hi);
    FIELD(prnn_value_info, initial);

    STRUCT(prnn_problem);
    FIELD(prnn_problem, struct_size);
    FIELD(prnn_problem, batch);
    FIELD(prnn_problem, seq_len);
    FIELD(prnn_problem, channels);
    FIELD(prnn_problem, storage);
    FIELD(prnn_problem, math);
    FIELD(prnn_problem, write);
    FIELD(prnn_problem, backward);
    FIELD(prnn_problem, resets);
    FIELD(prnn_problem, packed);
    FIELD(prnn_problem, reverse);
    FIELD(prnn_problem, threads);
    FIELD(prnn_problem, tolerance);
    FIELD(prnn_problem, strategy);

    STRUCT(prnn_tensor);
    FIELD(prnn_tensor, data);
    FIELD(prnn_tensor, stride_b);
    FIELD(prnn_tensor, stride_t);
    FIELD(prnn_tensor, stride_e);

    STRUCT(prnn_certificate);
    FIELD(prnn_certificate, struct_size);
    FIELD(prnn_certificate, mismatch);
    FIELD(prnn_certificate, tolerance);
    FIELD(prnn_certificate, batch);
    FIELD(prnn_certificate, step);
    FIELD(prnn_certificate, channel);
    FIELD(prnn_certificate, max_corrections);
    FIELD(prnn_certificate, mean_corrections);
    FIELD(prnn_certificate, tiles);
    FIELD(prnn_certificate, nonfinite);

    STRUCT(prnn_scan_problem);
    FIELD(prnn_scan_problem, struct_size);
    FIELD(prnn_scan_problem, batch);
    FIELD(prnn_scan_problem, seq_len);
    FIELD(prnn_scan_problem, channels);
    FIELD(prnn_scan_problem, block);
    FIELD(prnn_scan_problem, is_diagonal);
    FIELD(prnn_scan_problem, transpose);
    FIELD(prnn_scan_problem, reverse);
    FIELD(prnn_scan_problem, storage);
    FIELD(prnn_scan_problem, threads);
    FIELD(prnn_scan_problem, strategy);
}

static void print_constants(void)
{
    ENUM(prnn_status);
    VALUE(PRNN_OK);
    VALUE(PRNN_NONFINITE);
    VALUE(PRNN_FALLBACK);
    VALUE(PRNN_E_CELL);
    VALUE(PRNN_E_INVALID);
    VALUE(PRNN_E_IO);
    VALUE(PRNN_E_LIMIT);
    VALUE(PRNN_E_NOMEM);
    VALUE(PRNN_E_UNSUPPORTED);
    VALUE(PRNN_E_BACKEND);
    VALUE(PRNN_E_STICKY);
    VALUE(PRNN_E_INTERNAL);

    ENUM(prnn_role);
    VALUE(PRNN_STATE);
    VALUE(PRNN_INPUT);
    VALUE(PRNN_PARAM);
    VALUE(PRNN_OUTPUT);

    ENUM(prnn_storage);
    VALUE(PRNN_F32);
    VALUE(PRNN_F64);
    VALUE(PRNN_BF16);
    VALUE(PRNN_F16);

    ENUM(prnn_math);
    VALUE(PRNN_ACCURATE);
    VALUE(PRNN_FAST);
    VALUE(PRNN_STRICT);

    ENUM(prnn_write);
    VALUE(PRNN_WRITE_AUTO);
    VALUE(PRNN_WRITE_OUTPUTS);
    VALUE(PRNN_WRITE_STATES);
    VALUE(PRNN_WRITE_LAST);

    printf("constants\n");
    VALUE(PRNN_MAX_ARGS);
    VALUE(PRNN_DENSE);
}

int main(void)
{
    print_structs();
    print_constants();
    return 0;
}
