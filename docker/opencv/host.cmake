# OpenCV writes the release of the build machine's kernel into cv2.getBuildInformation().
set(CMAKE_HOST_SYSTEM_VERSION "")
