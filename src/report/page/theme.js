// SPDX-License-Identifier: MIT
// Before anything is drawn: the system's colours, unless the button chose.
"use strict";
{
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const follow = () => {
    if (!root.dataset.chosen)
      root.dataset.theme = system.matches ? "dark" : "light";
  };
  follow();
  system.addEventListener("change", follow);
}
