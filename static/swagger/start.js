// A file of its own: the policy allows nothing inline.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger",
  deepLinking: true,
  validatorUrl: null, // asks nobody else about our document
  withCredentials: true,
});
