import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { showTheme } from "../shell/kept";
import "../ui/tokens.css";
import { App } from "./App";

showTheme();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
