# OpenCV writes this, the kernel release of the build machine, into cv2.getBuildInformation().
set(CMAKE_HOST_SYSTEM_VERSION "")
