#!/bin/bash
# Makes a raw wheel of the compiled module, its data and all licences.
set -euo pipefail
build=/kiln/build/cmake
stage=/kiln/build/wheel
licences=/kiln/build/licences
rm -rf "$stage" "$licences"
mkdir -p "$stage/cv2/data" "$licences" /kiln/out/raw

module=$(echo "$build"/lib/python3/cv2*.so)
strip --strip-unneeded -o "$stage/cv2/${module##*/}" "$module"
cp /kiln/scripts/cv2/__init__.py "$stage/cv2/__init__.py"
cp /kiln/scripts/cv2/data.py "$stage/cv2/data/__init__.py"
python3 /kiln/scripts/stubs.py /kiln/trees/opencv "$build/modules/python_bindings_generator/headers.txt" "$stage/cv2"
cp /kiln/trees/opencv/data/haarcascades/*.xml "$stage/cv2/data/"

# cmake knows which bundled libraries this configuration links to.
cmake -DCMAKE_INSTALL_COMPONENT=licenses -P "$build/cmake_install.cmake" > /dev/null
cp /kiln/build/install/share/licenses/opencv4/* "$licences/"
cp /kiln/trees/opencv/LICENSE "$licences/opencv-LICENSE"
if ((KILN_OPT_CONTRIB)); then cp /kiln/trees/opencv_contrib/LICENSE "$licences/opencv_contrib-LICENSE"; fi
if ((KILN_OPT_IPP)); then
    cp /kiln/build/ipp/wheels/ipp_static-*.dist-info/LICENSE.txt "$licences/ipp-LICENSE.txt"
fi
if [ -d /kiln/build/ffmpeg ]; then
    cp /kiln/build/ffmpeg/licences/* "$licences/"
    bash /kiln/scripts/offer.sh > "$licences/ffmpeg-SOURCE.txt"
    # Where the wheel's repair finds them.
    ln -sfn ffmpeg/lib /kiln/build/libraries
fi
# What the wheel requires of the system, and does not bring along.
required=()
# A connection that libX11, which is the system's, has made is one of the libxcb that is there.
if [ "$KILN_OPT_GUI" = qt ]; then required+=(libxcb.so.1); fi
if [ "$KILN_OPT_GUI" = gtk ]; then required+=(libcairo.so.2 libgdk-3.so.0 libgdk_pixbuf-2.0.so.0 libgtk-3.so.0); fi
if ((KILN_OPT_GSTREAMER)); then required+=(libgst{app,pbutils,reamer,riff}-1.0.so.0); fi
if ((${#required[@]})); then printf '%s\n' "${required[@]}" > /kiln/build/required.txt; fi

if [ "$KILN_OPT_GUI" = qt ]; then
    # Where the module looks for them.
    plugins=$stage/cv2/qt/plugins/platforms
    mkdir -p "$plugins"
    cp /usr/lib/x86_64-linux-gnu/qt5/plugins/platforms/libq{xcb,offscreen}.so "$plugins/"
    python3 /kiln/scripts/copied.py "$stage" "$licences" "${required[*]}"
fi
if [ -n "${KILN_CUDA:-}" ]; then
    cp /kiln/trees/opencv_contrib/LICENSE "$licences/opencv_contrib-LICENSE"
    if [ "$KILN_OPT_CUDA_LIBS" = bundled ]; then cp /kiln/build/cuda/licences/* "$licences/"; fi
fi
"$KILN_VENV/bin/python" /kiln/scripts/pack.py "$stage" "$licences" /kiln/out/raw

# Linked once more, the same module comes out, and with it the linker's list of what it took from each library.
(
    cd "$build"
    again=/kiln/build/again.so
    target=lib/python3/${module##*/}
    command=$(ninja -t commands "$target" | tail -n 1)
    bash -c "${command/ -o $target / -o $again -Wl,-Map=/kiln/build/link.map }"
    cmp "$target" "$again"
    rm "$again"
)
python3 /kiln/scripts/linked.py /kiln/build/link.map /kiln/build/linked.json
