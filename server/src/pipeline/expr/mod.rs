//! Expressions: from DataFusion's physical ones to typed ones of our own, and from those to CUDA C++.
