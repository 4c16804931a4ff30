/* Every structure and its initialiser, in the common subset of C and C++. */
#include <pararnnc/pararnnc.h>

int main(void)
{
    const prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    const prnn_problem problem = PRNN_PROBLEM_INIT;
    const prnn_cell_options options = PRNN_CELL_OPTIONS_INIT;
    const prnn_diagnostic diagnostic = PRNN_DIAGNOSTIC_INIT;
    const prnn_cell_info cell = PRNN_CELL_INFO_INIT;
    const prnn_value_info value = PRNN_VALUE_INFO_INIT;
    const prnn_certificate certificate = PRNN_CERTIFICATE_INIT;
    const prnn_scan_problem scan = PRNN_SCAN_PROBLEM_INIT;
    return args[0].data || problem.struct_size != sizeof problem ||
           options.struct_size != sizeof options || diagnostic.struct_size != sizeof diagnostic ||
           cell.struct_size != sizeof cell || value.struct_size != sizeof value ||
           certificate.struct_size != sizeof certificate || scan.struct_size != sizeof scan;
}
