// Facets of the C++11 ABI, which libstdc++ has since GLIBCXX_3.4.21. A locale of an older library does not have them, and one
// of a newer library has them under numbers that code linked for an older one does not know: std::use_facet would find
// none, and std::regex would not know a bracket. Here it gives what the locale has, or else the facet of the locale "C".
#include <bits/c++config.h>
#undef _GLIBCXX_EXTERN_TEMPLATE
#define _GLIBCXX_EXTERN_TEMPLATE 0
#include <locale>

namespace std {

#define WITH_DEFAULT(FACET)                                                                                     \
    template <> bool has_facet<FACET>(const locale &) throw() { return true; }                                  \
    template <> const FACET &use_facet<FACET>(const locale &wanted)                                             \
    {                                                                                                           \
        const size_t number = FACET::id._M_id();                                                                \
        if (number < wanted._M_impl->_M_facets_size && wanted._M_impl->_M_facets[number])                       \
            return dynamic_cast<const FACET &>(*wanted._M_impl->_M_facets[number]);                             \
        static const FACET &classic = *new FACET(1);                                                            \
        return classic;                                                                                         \
    }

WITH_DEFAULT(__cxx11::collate<char>)
WITH_DEFAULT(__cxx11::collate<wchar_t>)
WITH_DEFAULT(__cxx11::numpunct<char>)
WITH_DEFAULT(__cxx11::numpunct<wchar_t>)
WITH_DEFAULT(__cxx11::messages<char>)
WITH_DEFAULT(__cxx11::messages<wchar_t>)
WITH_DEFAULT(__cxx11::time_get<char>)
WITH_DEFAULT(__cxx11::time_get<wchar_t>)

}
