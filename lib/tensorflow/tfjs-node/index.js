// The native backend is registered when Tunebook loads TensorFlow (lib/tensorflow/runtime.ts).
module.exports = require('@tensorflow/tfjs');
