import { cleanup } from "@testing-library/react";
import { afterEach, beforeEach } from "vitest";

// What was kept by one test is not there in the next.
beforeEach(() => localStorage.clear());
afterEach(cleanup);
