"""Makes the films in this folder, with PyAV 18.1.0 (x264, x265 and libvpx inside) and NumPy: python make.py

They are kept as files so that every wheel reads the same ones: no wheel has all these encoders.
"""

import sys
from fractions import Fraction
from pathlib import Path

import av

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from films_reference import COUNT, HEIGHT, RATE, WIDTH, alpha, picture  # noqa: E402

# By file: encoder, pixel format, its options. Two pictures may be between those that they depend on.
H264 = {"preset": "slow", "crf": "12", "g": "6", "bf": "2", "keyint_min": "6", "sc_threshold": "0"}
HEVC = {
    "preset": "medium",
    "crf": "10",
    "x265-params": "log-level=none:keyint=6:min-keyint=6:bframes=2:info=0",
}
FILMS = {
    "h264.mp4": ("libx264", "yuv420p", H264),
    "h264.mov": ("libx264", "yuv420p", H264),
    "h264.mkv": ("libx264", "yuv420p", H264),
    "h264.avi": ("libx264", "yuv420p", {**H264, "bf": "0"}),
    "h264.ts": ("libx264", "yuv420p", H264),
    "h264.flv": ("libx264", "yuv420p", H264),
    "h264-444.mp4": ("libx264", "yuv444p", H264),
    "h264-10bit.mkv": ("libx264", "yuv420p10le", H264),
    "hevc.mp4": ("libx265", "yuv420p", HEVC),
    "hevc.mkv": ("libx265", "yuv420p", HEVC),
    "hevc-10bit.mp4": ("libx265", "yuv420p10le", HEVC),
    "vp8.webm": ("libvpx", "yuv420p", {"b:v": "600k", "crf": "4", "g": "6"}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"b:v": "0", "crf": "12", "g": "6"}),
    "vp9.mp4": ("libvpx-vp9", "yuv420p", {"b:v": "0", "crf": "12", "g": "6"}),
    "mpeg4.mp4": ("mpeg4", "yuv420p", {"qscale": "2", "g": "6", "bf": "2", "flags": "+qscale"}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"g": "6", "b": "2000k"}),
    "mpeg2.mpg": ("mpeg2video", "yuv420p", {"g": "6", "b": "2000k"}),
    "mpeg2.ts": ("mpeg2video", "yuv420p", {"g": "6", "b": "2000k"}),
    "mpeg1.mpg": ("mpeg1video", "yuv420p", {"g": "6", "b": "2000k"}),
    "wmv2.wmv": ("wmv2", "yuv420p", {"g": "6", "b": "2000k"}),
    "flv1.flv": ("flv", "yuv420p", {"g": "6", "b": "2000k"}),
    "mjpeg.avi": ("mjpeg", "yuvj422p", {"b": "3000k"}),
    "mjpeg.mov": ("mjpeg", "yuvj422p", {"b": "3000k"}),
    "prores.mov": ("prores_ks", "yuv422p10le", {}),
    "ffv1.mkv": ("ffv1", "bgr0", {}),
    "png.mov": ("png", "rgb24", {}),
    "animation.gif": ("gif", "rgb8", {}),
    "rle-alpha.mov": ("qtrle", "argb", {}),
    "png-alpha.mov": ("png", "rgba", {}),
    "vp9-alpha.webm": ("libvpx-vp9", "yuva420p", {"b:v": "0", "crf": "12", "g": "6", "auto-alt-ref": "0"}),
}


def write(path, encoder, pixels, options, times=None, **muxer):
    """A film of all pictures; `times` are when they are shown, in units of 1/1000 s."""
    transparent = "a" in pixels.replace("gray", "")
    with av.open(str(path), "w", options=muxer) as container:
        stream = container.add_stream(encoder, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        stream.codec_context.thread_count = 1
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(COUNT):
            colours = picture(number)
            frame = av.VideoFrame.from_ndarray(
                alpha(colours) if transparent else colours, format="bgra" if transparent else "bgr24"
            )
            # The usual matrix of small films, which readers suppose where a file does not say.
            frame = frame.reformat(format=pixels, dst_colorspace="ITU601")
            frame.pts = times[number] if times else number
            frame.time_base = Fraction(1, 1000) if times else Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def turned(content):
    """An mp4 whose pictures are to be shown turned by 90 degrees to the right: the matrix of its track says so."""
    at = content.index(b"tkhd") + 4 + 40
    numbers = (0, 1 << 16, 0, -(1 << 16), 0, 0, HEIGHT << 16, 0, 1 << 30)
    matrix = b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)
    return content[:at] + matrix + content[at + len(matrix) :]


def main():
    for name, (encoder, pixels, options) in FILMS.items():
        write(HERE / name, encoder, pixels, options)
    (HERE / "turned.mp4").write_bytes(turned((HERE / "h264.mp4").read_bytes()))
    irregular = [number * 40 + 300 * (number > 5) + 7 * (number % 3) for number in range(COUNT)]
    write(HERE / "irregular.mkv", "libx264", "yuv420p", H264, irregular)
    write(HERE / "irregular.mp4", "libx264", "yuv420p", H264, irregular)
    # Its index comes first, as in files that are played while they are loaded.
    write(HERE / "faststart.mp4", "libx264", "yuv420p", H264, movflags="faststart")


if __name__ == "__main__":
    main()
