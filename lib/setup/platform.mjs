// Supported platforms and the differences between their linkers and loaders.
// @ts-check

/** Supported platforms by key, with their names in messages. data/sources.json uses the same keys. */
export const platforms = {
  'linux-x64': 'Linux x64',
  'linux-arm64': 'Linux arm64',
  'darwin-arm64': 'macOS arm64',
};

/** This machine's platform, supported or not. */
export const platform = `${process.platform}-${process.arch}`;

/**
 * @typedef {object} Linking
 * @property {Record<string, string>} libraries files of TensorFlow's libraries in the wheel, by the names that the
 *   linker searches for
 * @property {string} origin placeholder for the folder of the loading file in a run-time search path
 * @property {string[]} addonFlags linker flags for addons, whose references to Node are resolved when Node loads them
 */

/** Returns how a system links and loads libraries. @param {string} system as in process.platform @returns {Linking} */
export const linkingOf = (system) =>
  system === 'darwin'
    ? {
        libraries: {
          'libtensorflow.dylib': 'libtensorflow_cc.2.dylib',
          'libtensorflow_framework.dylib': 'libtensorflow_framework.2.dylib',
        },
        origin: '@loader_path',
        addonFlags: ['-Wl,-undefined,dynamic_lookup'],
      }
    : {
        libraries: {
          'libtensorflow.so': 'libtensorflow_cc.so.2',
          'libtensorflow_framework.so': 'libtensorflow_framework.so.2',
        },
        origin: '$ORIGIN',
        addonFlags: [],
      };

/** Linking on this system. */
export const linking = linkingOf(process.platform);

/**
 * Returns how to install a tool on this system, for error messages.
 * @param {string} debian packages of Debian and Ubuntu
 * @param {string} macos a command
 */
export const installation = (debian, macos) =>
  process.platform === 'darwin' ? `macOS: ${macos}` : `Debian, Ubuntu: sudo apt-get install ${debian}`;
