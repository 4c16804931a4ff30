# Libraries, header, the CMake package and pararnnc.pc. The command installs itself.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set_target_properties(pararnnc_shared PROPERTIES EXPORT_NAME pararnnc)
set_target_properties(pararnnc_static PROPERTIES EXPORT_NAME pararnnc_static)
install(TARGETS pararnnc_shared pararnnc_static EXPORT pararnncTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY runtime/include/pararnnc DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pararnnc)
install(EXPORT pararnncTargets NAMESPACE pararnnc:: DESTINATION ${package_dir})
configure_package_config_file(cmake/pararnncConfig.cmake.in
    ${CMAKE_CURRENT_BINARY_DIR}/pararnncConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/pararnncConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pararnncConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/pararnncConfigVersion.cmake DESTINATION ${package_dir})

configure_file(cmake/pararnnc.pc.in ${CMAKE_CURRENT_BINARY_DIR}/pararnnc.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pararnnc.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
