// Diagrams keep their natural size and scroll on a narrow screen; shrunk to fit, nobody can read them.
// Loaded after mermaid.min.js and before the theme sets mermaid up.
(function () {
  const initialize = mermaid.initialize.bind(mermaid);
  const natural = { useMaxWidth: false };
  mermaid.initialize = function (config) {
    initialize({
      ...config,
      themeVariables: { ...config.themeVariables, fontSize: "13px" },
      flowchart: { ...config.flowchart, ...natural, nodeSpacing: 20, rankSpacing: 30 },
      sequence: { ...config.sequence, ...natural, actorMargin: 16, width: 96, messageFontSize: 13, actorFontSize: 13 },
    });
  };
})();
