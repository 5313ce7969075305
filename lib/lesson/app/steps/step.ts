/** What a step of the lesson consists of. */
import type { Session } from '../session.js';

/** A step: a section of the page with the same id. */
export interface Step {
  id: string;
  /** Its name in the navigation. */
  name: string;
  /** Called when the step becomes visible, and when the reviews change while it is. */
  show: (session: Session) => void | Promise<void>;
  /** Called when other reviews are used: removes what was shown of the earlier ones. @default nothing is shown */
  clear?: () => void;
}

/** Where steps get the current session, and how they replace it. */
export interface Lesson {
  session: Session;
  /** Starts again with other reviews. */
  restart: (reviews: Session['reviews']) => void;
}
