"""Stand-ins for NVIDIA's files: an installer and a cuDNN of the right shape, with a compiler that compiles nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from tests.support.archives import File, pack

NVCC = """\
#!/bin/sh
if [ "$1" = --version ]; then
    echo "Cuda compilation tools, release 10.0, V10.0.130"
    exit
fi
while [ $# -gt 0 ]; do
    case $1 in
        -o) object=$2 ;;
        -MF) echo "$object:" > "$2" ;;
        -ccbin) compiler=$2 ;;
    esac
    shift
done
echo "int nothing;" | "$compiler" -x c++ -c -o "$object" -
"""
TOOLKIT = {
    "bin/nvcc": NVCC,
    **{f"bin/{name}": "#!/bin/sh\n" for name in ("ptxas", "fatbinary", "cudafe++")},
    "nvvm/bin/cicc": "#!/bin/sh\n",
    "nvvm/libdevice/libdevice.10.bc": "bc",
    "include/cuda.h": "#define CUDA_VERSION 10000\n",
    "lib64/libcudart.so.10.0.130": "",
    "lib64/libcudart_static.a": "",
    "lib64/stubs/libcuda.so": "",
    "extras/CUPTI/include/cupti.h": "",
    "extras/CUPTI/lib64/libcupti.so.10.0.130": "",
    "EULA.txt": "terms",
}
LAYS_OUT = """\
use InstallUtils;
InstallUtils::lay_out(map { /^--prefix=(.*)/ ? $1 : () } @ARGV);
"""
HELPER = """\
package InstallUtils;
sub lay_out { mkdir $_[0]; system("cp -r bin extras include lib64 nvvm EULA.txt $_[0]") == 0 or die; }
1;
"""


def old_installer() -> bytes:
    """As up to CUDA 10.0: an archive with further archives in it, the toolkit's with a script that lays it out."""
    scripts = {"install-linux.pl": LAYS_OUT, "InstallUtils.pm": HELPER}
    inner = _unpacks_itself({**TOOLKIT, **scripts})
    return _unpacks_itself(
        {
            "run_files/cuda-linux.10.0.130-1.run": inner,
            "run_files/NVIDIA-Linux-x86_64.run": "exit 9\n",
            "cuda-installer.pl": "exit 9;",
        }
    )


def new_installer() -> bytes:
    """As since CUDA 10.1: the toolkit's files in a folder, cuBLAS' in another."""
    files = {f"builds/cuda-toolkit/{name}": content for name, content in TOOLKIT.items()}
    return _unpacks_itself({**files, "builds/cublas/lib64/libcublas.so.10": "", "cuda-installer": "exit 9"})


def cudnn() -> bytes:
    """The archive that NVIDIA has of cuDNN 7."""
    return _archive(
        {
            "cuda/include/cudnn.h": "#define CUDNN_MAJOR 7\n",
            "cuda/lib64/libcudnn.so.7": "",
            "cuda/NVIDIA_SLA_cuDNN_Support.txt": "terms",
        }
    )


def _archive(files: Mapping[str, str | bytes]) -> bytes:
    tree = {
        name: File(content if isinstance(content, bytes) else content.encode(), executable=True)
        for name, content in files.items()
    }
    return pack(tree, "tar.gz")


def _unpacks_itself(files: Mapping[str, str | bytes]) -> bytes:
    """A shell script that unpacks what it carries into ./pkg, and which fails where it is asked for more."""
    payload = base64.encodebytes(_archive(files)).decode()
    script = '[ "$*" = "--keep --noexec" ] && mkdir pkg && sed "1,/^__/d" "$0" | base64 -d | tar xz -C pkg; exit\n__\n'
    return f"#!/bin/sh\n{script}{payload}".encode()
