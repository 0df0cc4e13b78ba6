# Where OpenCV's configure finds the FFmpeg that the step `ffmpeg` has compiled.
set(FFMPEG_FOUND TRUE)
set(FFMPEG_INCLUDE_DIRS /kiln/build/ffmpeg/include)
set(FFMPEG_LIBRARIES "")
foreach(name avformat avcodec swscale avutil swresample)
  list(APPEND FFMPEG_LIBRARIES /kiln/build/ffmpeg/lib/lib${name}.so)
  file(STRINGS ${FFMPEG_INCLUDE_DIRS}/lib${name}/version.h numbers REGEX "define LIB[A-Z]+_VERSION_M[A-Z]+ +[0-9]+$")
  string(REGEX REPLACE "#define LIB[A-Z]+_VERSION_M[A-Z]+ +" "" numbers "${numbers}")
  string(REPLACE ";" "." numbers "${numbers}")
  # For the build information, which is written elsewhere.
  set(FFMPEG_lib${name}_FOUND TRUE CACHE INTERNAL "")
  set(FFMPEG_lib${name}_VERSION ${numbers} CACHE INTERNAL "")
endforeach()
