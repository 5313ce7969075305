// Serves the mock hub for manual tests until it is stopped: node test/dist/hub/serve.js, then HF_ENDPOINT=… npm start
// -- …
import { distilbert, polarity } from './repositories.js';
import { startStandInHub } from './stand-in.js';

const hub = await startStandInHub([distilbert, await polarity(60_000, 6_000)]);
console.log(`HF_ENDPOINT=${hub.endpoint}`);
