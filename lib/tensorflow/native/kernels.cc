// All kernels as one unit: TensorFlow's headers take the compiler most of its time, and are read once.
#include "adamw.cc"
#include "attention-weights.cc"
#include "dropout.cc"
#include "gelu.cc"
#include "heads.cc"
#include "residual-layer-norm.cc"
#include "widen.cc"
