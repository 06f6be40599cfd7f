# find_package(vug): the targets vug::vug (shared) and vug::static, from the directory in which this
# file is installed: <prefix>/share/vug/cmake.
get_filename_component(_vug_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(_vug_suffixes lib lib64)
if(CMAKE_LIBRARY_ARCHITECTURE)
  list(PREPEND _vug_suffixes "lib/${CMAKE_LIBRARY_ARCHITECTURE}")
endif()

find_path(vug_INCLUDE_DIR vug.h PATHS "${_vug_prefix}/include" NO_DEFAULT_PATH)
find_library(vug_SHARED_LIBRARY libvug.so PATHS "${_vug_prefix}"
             PATH_SUFFIXES ${_vug_suffixes} NO_DEFAULT_PATH)
find_library(vug_STATIC_LIBRARY libvug.a PATHS "${_vug_prefix}"
             PATH_SUFFIXES ${_vug_suffixes} NO_DEFAULT_PATH)
mark_as_advanced(vug_INCLUDE_DIR vug_SHARED_LIBRARY vug_STATIC_LIBRARY)

if(NOT vug_INCLUDE_DIR OR NOT (vug_SHARED_LIBRARY OR vug_STATIC_LIBRARY))
  set(vug_FOUND FALSE)
  set(vug_NOT_FOUND_MESSAGE "vug.h or libvug is missing below ${_vug_prefix}")
  return()
endif()

if(vug_SHARED_LIBRARY AND NOT TARGET vug::vug)
  add_library(vug::vug SHARED IMPORTED)
  set_target_properties(vug::vug PROPERTIES
    IMPORTED_LOCATION "${vug_SHARED_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${vug_INCLUDE_DIR}")
endif()

if(vug_STATIC_LIBRARY AND NOT TARGET vug::static)
  include(CMakeFindDependencyMacro)
  find_dependency(Threads)
  add_library(vug::static STATIC IMPORTED)
  # What the Rust standard library needs.
  set_target_properties(vug::static PROPERTIES
    IMPORTED_LOCATION "${vug_STATIC_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${vug_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;util;rt;m;${CMAKE_DL_LIBS}")
endif()
