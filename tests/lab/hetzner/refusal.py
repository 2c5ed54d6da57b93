"""Errors in the words of the API: {"error": {"code", "message", "details"}}."""

CODES = {
    400: ("json_error", "invalid JSON document"),
    401: ("unauthorized", "unable to authenticate"),
    403: ("forbidden", "insufficient permissions"),
    404: ("not_found", "resource not found"),
    405: ("method_not_allowed", "method not allowed"),
    409: ("conflict", "the resource has changed during the request, please retry"),
    410: ("deprecated_api_endpoint", "API endpoint is deprecated and was removed"),
    412: ("resource_unavailable", "error during placement"),
    422: ("invalid_input", "invalid input"),
    423: ("locked", "the item you are trying to access is locked"),
    429: ("rate_limit_exceeded", "limit of 3600 requests per hour reached"),
    500: ("server_error", "an internal server error occurred"),
    502: ("bad_gateway", "bad gateway"),
    503: ("unavailable", "the service is temporarily unavailable"),
    504: ("timeout", "the request took too long"),
}


class Refusal(Exception):
    def __init__(self, status, message=None, code=None, details=None):
        super().__init__(message)
        self.status = status
        self.code = code or CODES[status][0]
        self.message = message or CODES[status][1]
        self.details = details

    def body(self):
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


def invalid(field, message):
    return Refusal(422, f"invalid input in field '{field}'", details={"fields": [{"name": field, "messages": [message]}]})


def not_unique(what):
    return Refusal(
        409,
        f"{what} name is already used",
        "uniqueness_error",
        {"fields": [{"name": "name", "messages": [f"{what} name is already used"]}]},
    )


def not_found(what, which):
    return Refusal(404, f"{what} with ID '{which}' not found")
