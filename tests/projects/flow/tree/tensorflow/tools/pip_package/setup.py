"""The wheel of what build_pip_package has gathered beside this file."""

import sys

from setuptools import setup
from setuptools.command.install import install
from setuptools.dist import Distribution

project_name = "flow"
if "--project_name" in sys.argv:
    place = sys.argv.index("--project_name")
    project_name = sys.argv[place + 1]
    del sys.argv[place : place + 2]


class BinaryDistribution(Distribution):
    def has_ext_modules(self):
        return True


class Install(install):
    """Everything to where machine code belongs: the packages are not what makes this wheel one for a platform."""

    def finalize_options(self):
        install.finalize_options(self)
        self.install_lib = self.install_platlib


setup(
    name=project_name,
    version="1.0",
    description="operators on lists of numbers",
    packages=["flow"],
    package_data={"flow": ["*.so", "NOTICE"]},
    distclass=BinaryDistribution,
    cmdclass={"install": Install},
)
